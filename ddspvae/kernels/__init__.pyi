from .noise import play_filtered_noise as play_filtered_noise
from .oscillators import play_oscillators as play_oscillators
from .partitions import convolve_newest as convolve_newest
from .partitions import sum_partitions as sum_partitions
from .peaks import find_peak as find_peak
from .spectrum import shape_frames as shape_frames
