"""Every error that Meshdoor raises.

    MeshdoorError
    ├── UserError                 a person can mend it; the message says how; exit code 2
    │   ├── ConfigError           a setting, a file or an argument is wrong
    │   ├── StateError            the state directory is missing, damaged, open to others or in use
    │   ├── NotRunning            no node answers at the control socket
    │   ├── Refused               the node understood and said no
    │   └── NotFound              no member, newcomer or file of that name
    ├── EngineError               the media engine is not there or could not do what was asked; calls go on without it
    │   └── CameraChanged         another camera is to be opened in place of this one, at once
    ├── LocalProtocolError        we used a protocol object wrongly (a bug of ours)
    └── RemoteProtocolError       bytes from the network that break a rule; log, answer, go on
        ├── IdentityError         a key or a certificate that is not what it should be
        ├── StatementError        a roster statement that is malformed or wrongly signed
        ├── PairingError          a pairing that failed, with the reason a person can read
        │   └── WrongCode         the other side did not know the code
        ├── InvitationError       a phone that is not let in; has a code that its page has words for
        ├── AttachError           a phone that may not attach; has a code that its page has words for
        ├── GrantError            a door-open grant, or its receipt, that is malformed or wrongly signed
        ├── LinkError             a mesh link frame that breaks the framing
        ├── AnnouncementError     an mDNS record that does not describe a node
        ├── SipError              a SIP message that breaks the grammar or a rule; has a status to answer with
        ├── SdpError              a session description that cannot be used
        └── RtpError              a media packet that cannot be used
"""


class MeshdoorError(Exception):
    """The root of all errors raised on purpose."""


class UserError(MeshdoorError):
    """Something a person can mend. `hint` says what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(UserError):
    """A setting, a file or an argument is wrong."""


class StateError(UserError):
    """The state directory cannot be used as it is."""


class NotRunning(UserError):
    """No node is running here."""


class Refused(UserError):
    """The node refused."""


class NotFound(UserError):
    """There is nothing of that name."""


class EngineError(MeshdoorError):
    """The media engine could not do what was asked."""


class CameraChanged(EngineError):
    """There is another camera now."""


class LocalProtocolError(MeshdoorError):
    """A protocol object was used in a state that does not allow it."""


class RemoteProtocolError(MeshdoorError):
    """A peer sent something that breaks the protocol."""


class IdentityError(RemoteProtocolError):
    """A key or certificate is not a Meshdoor identity."""


class StatementError(RemoteProtocolError):
    """A roster statement is malformed or wrongly signed."""


class PairingError(RemoteProtocolError):
    """The pairing failed."""


class WrongCode(PairingError):
    """The code is wrong."""


class InvitationError(RemoteProtocolError):
    """A phone is not let in; `code` is one of `meshdoor.trust.invitation.Refusal`."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class AttachError(RemoteProtocolError):
    """A phone may not attach; `code` is one of `meshdoor.trust.attach.Refusal`."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class GrantError(RemoteProtocolError):
    """A door-open grant or its receipt is malformed or wrongly signed."""


class LinkError(RemoteProtocolError):
    """A mesh link frame breaks the framing."""


class AnnouncementError(RemoteProtocolError):
    """An mDNS record does not describe a Meshdoor node."""


class SipError(RemoteProtocolError):
    """A SIP message cannot be used; `status` is the response code to answer with (RFC 3261 §21)."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class SdpError(RemoteProtocolError):
    """A session description cannot be used."""


class RtpError(RemoteProtocolError):
    """A media packet cannot be used."""
