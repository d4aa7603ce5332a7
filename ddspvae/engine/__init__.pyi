from .ability import can_play as can_play
from .live_room import LiveRoom as LiveRoom
from .network import Network as Network
from .playing import play_takes as play_takes
from .room import in_room as in_room
