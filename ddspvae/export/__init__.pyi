from .plan import Plan as Plan
from .sampled import export_sampled as export_sampled
