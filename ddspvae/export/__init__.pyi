from .networks import export_network as export_network
from .plan import Plan as Plan
from .sampled import export_sampled as export_sampled
