"""RTP and SRTP without IO: packets, RTCP, payload formats, jitter buffers, statistics, encryption.

The way out: an access unit goes through a packetizer (`H264Packetizer.payloads`) into payloads, an
`RtpStream` numbers these and cuts them into `Group`s, and each sink's `Protector.protect_group` turns a
group into the bytes of one UDP_SEGMENT send. Payloads and headers are made once and shared by all sinks.

The way in: `Unprotector.unprotect`, `RtpPacket.parse`, then a `VideoReceiver` (frames, each the moment that
it is complete) or a `SlotBuffer` (audio); `RtcpSession` keeps the statistics of both ways.
"""
