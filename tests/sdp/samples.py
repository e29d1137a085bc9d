"""Offers in the shape that real clients send."""

from __future__ import annotations

KEY_CM = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
KEY_GCM = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw=="

LINPHONE = "\r\n".join(
    [
        "v=0",
        "o=screen 1234 5678 IN IP4 192.168.1.20",
        "s=Talk",
        "c=IN IP4 192.168.1.20",
        "t=0 0",
        "a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics",
        "m=audio 7078 RTP/SAVP 96 0 8 101 97",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 useinbandfec=1",
        "a=rtpmap:101 telephone-event/48000",
        "a=rtpmap:97 telephone-event/8000",
        f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_CM}",
        f"a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:{KEY_CM}",
        "a=rtcp-fb:* trr-int 1000",
        "a=rtcp-fb:* ccm tmmbr",
        "m=video 9078 RTP/SAVP 96 97",
        "a=rtpmap:96 VP8/90000",
        "a=rtpmap:97 H264/90000",
        "a=fmtp:97 profile-level-id=42801F",
        f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_CM}",
        "",
    ]
)

BARESIP = "\r\n".join(
    [
        "v=0",
        "o=- 3841 1 IN IP6 fd00::7",
        "s=-",
        "c=IN IP6 fd00::7",
        "t=0 0",
        "m=audio 10000 RTP/AVP 96 0 8 9 101",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 stereo=1;sprop-stereo=1",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=rtcp:10001",
        "a=sendrecv",
        "a=label:1",
        "a=ptime:20",
        "a=rtcp-mux",
        "m=video 10002 RTP/AVP 97 98",
        "a=rtpmap:97 H264/90000",
        "a=fmtp:97 packetization-mode=0;profile-level-id=42e01f",
        "a=rtpmap:98 H264/90000",
        "a=fmtp:98 packetization-mode=1;profile-level-id=42e01f",
        "a=rtcp:10003 IN IP6 fd00::8",
        "a=rtcp-fb:* nack",
        "a=rtcp-fb:* nack pli",
        "a=sendonly",
        "a=mid:v",
        "",
    ]
)
