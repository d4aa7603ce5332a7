from .draw import rate_distortion as rate_distortion
from .plan import Plan as Plan
from .points import Codec as Codec
from .points import Point as Point
from .points import read_points as read_points
