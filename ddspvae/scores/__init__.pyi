from .read import read_score as read_score
