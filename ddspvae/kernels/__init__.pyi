from .noise import play_filtered_noise as play_filtered_noise
from .oscillators import play_oscillators as play_oscillators
from .spectrum import shape_frames as shape_frames
