"""Tables, from columns to arrays: the names that other houses use, in one place."""

from treadle.data.columns import Column, Schema, infer_schema
from treadle.data.encoders import (
    MISSING,
    UNSEEN,
    CategoryFeature,
    EncodedRows,
    NumberFeature,
    TableEncoder,
)
from treadle.data.target import TargetEncoder, TargetPlan, guess_task, plan_target

__all__ = [
    "MISSING",
    "UNSEEN",
    "CategoryFeature",
    "Column",
    "EncodedRows",
    "NumberFeature",
    "Schema",
    "TableEncoder",
    "TargetEncoder",
    "TargetPlan",
    "guess_task",
    "infer_schema",
    "plan_target",
]
