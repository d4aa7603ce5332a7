from .audio import limit_peak as limit_peak
from .audio import read_audio as read_audio
from .audio import write_audio as write_audio
from .evaluation.report import evaluate as evaluate
from .instrument.instrument import Instrument as Instrument
from .instrument.loading import load as load
from .instrument.presets import list_presets as list_presets
from .live.stream import Stream as Stream
from .midi.notes import read_midi as read_midi
from .scores.read import read_score as read_score
from .signals.checks import InputError as InputError
from .signals.controls import Controls as Controls
from .signals.features import Features as Features
from .signals.notes import Note as Note
from .signals.notes import Notes as Notes
from .signals.performance import Performance as Performance
from .signals.registry import register as register
from .training.loop import train as train

__version__: str
