"""The public names; `__init__.py` imports them when they are first used."""

from .answers import Answer as Answer
from .answers import Character as Character
from .answers import Recognition as Recognition
from .answers import Text as Text
from .answers import TextLine as TextLine
from .config import ExportConfig as ExportConfig
from .errors import ExportError as ExportError
from .exporting import export as export
from .from_run import open_start as open_start
from .recognizer import Recognizer as Recognizer
from .recognizer import open_recognizer as open_recognizer
from .verification import Check as Check
from .verification import FailedChecksError as FailedChecksError
from .verification import verify as verify

__version__: str
