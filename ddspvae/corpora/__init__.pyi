from .manifest import Recording as Recording
from .manifest import read_manifest_rows as read_manifest_rows
from .shards import read_shard as read_shard
from .shards import write_shard as write_shard
