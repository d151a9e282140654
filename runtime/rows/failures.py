"""The failures of reading data: the same reasons and exit codes in the Job that judges it and in the training.

The reasons are those of api/reasons.py; a test compares them.
"""

from typing import Final

from runtime.pod.termination import Kind

EMPTY: Final = Kind("DataEmpty", 40, worth_retrying=False)
UNREADABLE: Final = Kind("DataUnreadable", 41, worth_retrying=False)
COLUMNS_UNKNOWN: Final = Kind("DataColumnsUnknown", 42, worth_retrying=False)
NOT_FOUND: Final = Kind("DataNotFound", 80, worth_retrying=False)
