from .cluster import open_cluster as open_cluster
from .jobs import Job as Job
from .jobs import Outcome as Outcome
from .run import run_jobs as run_jobs
