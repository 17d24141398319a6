"""By quantile of the gain, what each sign of a curve (`forecast_signs.NAMES`) weighs.

Learned by benchmarks/forecast/learn.py, by quantile regression on the development half of its
curves: 2562 cases of 32 tasks. What the bands are worth on other tasks is in
benchmarks/forecast/results.json.
"""

from __future__ import annotations

TABLE: dict[float, tuple[float, ...]] = {
    0.1: (0, 0, 0, 0.219, 0.00592, 0, 0, 0, 0, 0, 0, 0.0111),
    0.2: (0, 0, 0, 0.577, 0.1, 0, 0, 0, 0, 0, 0, 0.0802),
    0.35: (0, 0, 0.0613, 0.84, 0.235, 0, 0, 0, -0.0024, 0, 0, 0.213),
    0.5: (0, 0.0385, 0.167, 0.989, 0.369, 0, 0, 0, -0.0617, 0, 0, 0.234),
    0.65: (0, 0.0173, 0.339, 1.15, 1.1, 0, 0.448, 0, -0.166, 0, 0.0488, 0.54),
    0.8: (0, 0.125, 0.538, 1.19, 2.66, 0, 1.18, 0, -0.185, 0, 1.39, 1.99),
    0.9: (0.447, 0, 1.02, 1.67, 6, 0, 3.05, -0.348, -0.236, 0, 6, 3.21),
    0.95: (2.17, 0.0662, 2.61, 4.13, 6, 0, 0.358, -0.401, -0.234, 0, 6, 4.25),
}
