from .opening import networks_of as networks_of
from .stream import Stream as Stream
