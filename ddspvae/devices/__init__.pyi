from .cards import Card as Card
from .keyboards import Keyboard as Keyboard
from .session import Session as Session
