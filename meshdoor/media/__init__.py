"""Pictures and sound: a process of its own (`engine`) that owns devices, codecs and the sockets of RTP.

The node holds an `engine_client.Engine` and speaks to the process in `messages`. Neither of the two imports av.
"""
