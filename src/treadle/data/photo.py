"""One photo: a file's bytes to an array of upright RGB pixels."""

from __future__ import annotations

import hashlib
import stat
from io import BytesIO
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from treadle.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
"""The only decoders that are ever given a file."""

BYTES_LIMIT = 1 << 30
"""Larger files are not read: no photo is so large, and a whole one has to be in memory."""

PIXELS_LIMIT = 89_000_000
"""Larger pictures are refused before they are unpacked: a small file may hold terabytes."""

Oddity = Literal["cmyk", "see_through", "deep", "palette", "turned", "several", "misnamed"]

DECODING_VERSION = 1
"""Raised when `decode` gives other pixels than before, so that no old cached feature is used."""

_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)


def decode(source: Path | bytes, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Return a photo as RGB uint8 [3, H, W], upright, resized to `size` (width, height).

    Grey becomes three equal channels. 16-bit grey is scaled by the range its values need, 12 or
    16 bits, so that cameras which fill 12 of 16 bits do not come out black. What is transparent
    shows white. Of several pages the first is taken. A large JPEG is unpacked at a fraction of
    its size where that is enough.

    Raises: DataError when it is no picture, is cut short, or has too many pixels.
    """
    name = "" if isinstance(source, bytes) else f"{source}: "
    try:
        content = source if isinstance(source, bytes) else photo_bytes(source)
        with _opened(content) as image:
            return _pixels(image, size)
    except DataError as error:
        raise DataError(name + error.message, error.hint) from None
    except Exception as error:  # decoders of foreign bytes raise nearly anything
        raise DataError(name + _reason(error), "Save it anew, or leave it out.") from None


def photo_size(content: bytes) -> tuple[int, int]:
    """Return (width, height) of a picture as it is shown upright, from its header.

    Raises: DataError as `decode` does.
    """
    return header(content)[0]


def header(content: bytes, name: str = "") -> tuple[tuple[int, int], list[Oddity]]:
    """Return (width, height) upright, and in what a photo differs from RGB of 8 bits a channel.

    Only the header is read, except of a PNG. `decode` evens all of it out, in training and serving
    alike.

    name: the file's, whose ending may be that of another format

    Raises: DataError as `decode` does.
    """
    try:
        with _opened(content) as image:
            oddities = _oddities(image, name)  # first: looking for EXIF may unpack a PNG
            return _upright(image.size, image), oddities
    except DataError:
        raise
    except Exception as error:
        raise DataError(_reason(error)) from None


def photo_bytes(path: Path) -> bytes:
    """Return a file's content.

    Raises: DataError for what is no file (a pipe would never end) or too large; OSError.
    """
    try:
        found = path.stat()
    except ValueError:  # a NUL among the letters of its name
        raise DataError("its name is not one that a file can have.") from None
    if not stat.S_ISREG(found.st_mode):
        raise DataError("it is not a file.")
    if found.st_size > BYTES_LIMIT:
        raise DataError(f"it has {found.st_size:,} bytes, more than {BYTES_LIMIT:,}.", _SMALLER)
    return path.read_bytes()


def _oddities(image: Image, name: str) -> list[Oddity]:
    mode, format_ = image.mode, "JPEG" if image.format == "MPO" else image.format or ""
    expected = _ENDINGS.get(PurePath(name).suffix.lower(), format_)
    several = image.format != "MPO" and getattr(image, "n_frames", 1) > 1
    facts: dict[Oddity, bool] = {
        "cmyk": mode == "CMYK",
        "see_through": mode in _SEE_THROUGH or "transparency" in image.info,
        "deep": mode[0] in "IF" or ";16" in _stored(image),
        "palette": mode in ("P", "PA"),
        "turned": image.getexif().get(_ORIENTATION, 1) != 1,
        "several": several,
        "misnamed": format_ != expected,
    }
    return [oddity for oddity, there in facts.items() if there]


def _stored(image: Image) -> str:
    """Return how a picture that is not unpacked yet is stored, such as RGB;16B."""
    return " ".join(str(tile[-1]) for tile in getattr(image, "tile", []))


_SEE_THROUGH = ("RGBA", "LA", "PA", "La", "RGBa")
_ENDINGS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    ".png": "PNG",
    ".webp": "WEBP",
    ".bmp": "BMP",
}


def digest(content: bytes) -> str:
    """Return the SHA-256 hex digest of a file's content."""
    return hashlib.sha256(content).hexdigest()


def require_pillow() -> None:
    """Raise MissingExtraError where Pillow is not installed."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise MissingExtraError("pillow", "vision", "Reading photos") from None


def _opened(content: bytes) -> Image:
    """Return the picture with only its header read, once its size is known to be bearable."""
    from PIL import Image

    if not content:
        raise DataError("the file is empty.")
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError("it has too many pixels.", _SMALLER) from None
    width, height = image.size
    if width * height > PIXELS_LIMIT:
        raise DataError(
            f"it has {width:,} × {height:,} pixels, more than {PIXELS_LIMIT:,}.", _SMALLER
        )
    return image


_SMALLER = "Save it smaller, or cut it into tiles."


def _pixels(image: Image, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    import PIL.Image
    from PIL import ImageOps

    if size is not None and image.format in ("JPEG", "MPO"):  # many phones write MPO into a .jpg
        width, height = _upright(size, image)
        image.draft(None, (2 * width, 2 * height))
    image = _as_rgb(ImageOps.exif_transpose(image))
    if size is not None and image.size != size:
        image = image.resize(size, PIL.Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1))


def _as_rgb(image: Image) -> Image:
    import PIL.Image

    if image.mode[0] in "IF":  # 16-bit, 32-bit and float grey
        return PIL.Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.mode in _SEE_THROUGH or "transparency" in image.info:
        image = image.convert("RGBA")
        white = PIL.Image.new("RGBA", image.size, (255, 255, 255, 255))
        return PIL.Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale grey values of more than 8 bits to uint8 [H, W]."""
    grey = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(grey.min()), float(grey.max())
    for full in (1.0, 255.0, 4095.0, 65535.0) if values.dtype.kind == "f" else (4095.0, 65535.0):
        if low >= 0 and high <= full:
            return np.rint(grey * (255 / full)).astype(np.uint8)
    return np.rint((grey - low) * (255 / max(high - low, 1e-9))).astype(np.uint8)


def _upright(size: tuple[int, int], image: Image) -> tuple[int, int]:
    """Swap width and height where the camera was held sideways."""
    sideways = image.getexif().get(_ORIENTATION) in _SIDEWAYS
    return (size[1], size[0]) if sideways else size


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "it is not a JPEG, PNG, WebP, BMP or TIFF picture."
    if isinstance(error, FileNotFoundError):
        return "there is no such file."
    if isinstance(error, PermissionError):
        return "there is no permission to read it."
    if isinstance(error, IsADirectoryError):
        return "it is a folder, not a file."
    if isinstance(error, OSError) and "truncated" in str(error):
        return "the file is cut short."
    return f"it cannot be unpacked ({type(error).__name__}: {error})."
