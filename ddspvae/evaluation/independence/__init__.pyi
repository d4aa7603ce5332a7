from .disentanglement import measure_disentanglement as measure_disentanglement
from .probes import probe as probe
from .report import measure_independence as measure_independence
from .swaps import measure_swaps as measure_swaps
