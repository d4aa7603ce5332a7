from .examine import Report as Report
from .examine import examine as examine
