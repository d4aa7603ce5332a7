from .shards import read_shard as read_shard
from .shards import write_shard as write_shard
