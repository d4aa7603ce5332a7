from .networks import LiveNetworks as LiveNetworks
from .player import Player as Player
from .stream import Stream as Stream
