"""The closed lists of words that configuration files may use; every word is lower case text."""

from enum import StrEnum


class Table(StrEnum):
    """The four tables of a Modbus device (Modbus Application Protocol V1.1b3, section 4.3)."""

    COIL = "coil"
    DISCRETE = "discrete"
    INPUT = "input"
    HOLDING = "holding"


class OnFull(StrEnum):
    """What happens when the buffer is full of what the centre has not receipted."""

    EVICT_OLDEST = "evict_oldest"
    STOP = "stop"


class LogLevel(StrEnum):
    """How much the agent says."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class WordOrder(StrEnum):
    """How the bytes of a value lie in its registers; A is the most significant byte."""

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"
    UNKNOWN = "unknown"


class Addressing(StrEnum):
    """How a document counts registers."""

    ZERO_BASED = "zero_based"
    ONE_BASED = "one_based"
    MODICON = "modicon"
    UNKNOWN = "unknown"


class Trust(StrEnum):
    """How far a profile has been tried."""

    DOCUMENTED = "documented"
    SIMULATED = "simulated"
    BENCH = "bench"
    FIELD = "field"


class SourceKind(StrEnum):
    """What a profile was made from."""

    MANUAL = "manual"
    OPEN_SOURCE = "open_source"
    SIMULATOR = "simulator"


class ClassWord(StrEnum):
    """The classes of NAMUR NE 107, by rising severity (docs/wire-format.md section 7)."""

    GOOD = "good"
    MAINTENANCE_REQUEST = "maintenance_request"
    OUT_OF_SPECIFICATION = "out_of_specification"
    FUNCTION_CHECK = "function_check"
    FAILURE = "failure"


class PhaseWord(StrEnum):
    """What the analyzer is doing (docs/wire-format.md section 7, bits 4-7)."""

    MEASURING = "measuring"
    ZERO_CHECK = "zero_check"
    SPAN_CHECK = "span_check"
    OTHER_CHECK_GAS = "other_check_gas"
    PURGE = "purge"
    WARM_UP = "warm_up"
    MAINTENANCE = "maintenance"
    STANDBY = "standby"
    UNKNOWN = "unknown"


class ReasonWord(StrEnum):
    """The reasons that a device itself can give (docs/wire-format.md section 7, bits 8-31)."""

    BELOW_RANGE = "below_range"
    ABOVE_RANGE = "above_range"
    DEVICE_FAULT = "device_fault"
    LATE = "late"
    DRIFT = "drift"
    SATURATED = "saturated"
    DEVICE_TIME_NOT_BELIEVED = "device_time_not_believed"
    COMMUNICATION = "communication"
    SUBSTITUTED = "substituted"


class Role(StrEnum):
    """What a point is for: a reading, or a fact about the calibration of another point."""

    MEASUREMENT = "measurement"
    ZERO_READING = "zero_reading"
    SPAN_READING = "span_reading"
    ZERO_REFERENCE = "zero_reference"
    SPAN_REFERENCE = "span_reference"
    SLOPE = "slope"
    OFFSET = "offset"
    LAST_CHECK_TIME = "last_check_time"
    DIAGNOSTIC = "diagnostic"


class Checked(StrEnum):
    """What of a channel a register of the device can confirm."""

    PARAMETER = "parameter"
    UNIT_OF_MEASURE = "unit_of_measure"


class ConfirmedKey(StrEnum):
    """What a technician can stand for."""

    UNIT_OF_MEASURE = "unit_of_measure"
    PARAMETER = "parameter"
    WORD_ORDER = "word_order"
    ADDRESSING = "addressing"
    READING = "reading"
