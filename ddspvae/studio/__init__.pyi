from .arrangement import Arrangement as Arrangement
from .folders import Home as Home
from .project import Project as Project
from .server import serve as serve
