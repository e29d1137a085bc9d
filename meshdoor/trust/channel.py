"""What two sides of a pairing have once SPAKE2 is done: a key bound to all they said, and boxes under it."""

from __future__ import annotations

import hashlib
import hmac

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from meshdoor.errors import PairingError, WrongCode
from meshdoor.trust.identity import Identity, verify

ADMITTER, NEWCOMER = b"A", b"N"
NAMES = {ADMITTER: b"admitter", NEWCOMER: b"newcomer"}
OTHER = {ADMITTER: NEWCOMER, NEWCOMER: ADMITTER}


class Channel:
    """One side's end. `role` is its own; a key that the other side does not share shows at the confirmation."""

    def __init__(self, role: bytes, key: bytes, transcript: bytes) -> None:
        self._role = role
        self._key = key
        self._transcript = transcript
        self._sealer = SecretBox(self._derive(b"box " + NAMES[role]))
        self._opener = SecretBox(self._derive(b"box " + NAMES[OTHER[role]]))
        self._sealed = self._opened = 0

    def confirmation(self) -> bytes:
        """The proof that this side knew the password."""
        return self._confirmation_of(self._role)

    def check_confirmation(self, proof: bytes) -> None:
        """Did the other side know the password? Raises WrongCode."""
        if not hmac.compare_digest(proof, self._confirmation_of(OTHER[self._role])):
            raise WrongCode("the code is wrong")

    def seal(self, plain: bytes) -> bytes:
        """The next box to the other side."""
        self._sealed += 1
        return self._sealer.encrypt(plain, _nonce(self._sealed - 1)).ciphertext

    def open(self, box: bytes) -> bytes:
        """The content of the other side's next box; raises PairingError."""
        self._opened += 1
        try:
            return self._opener.decrypt(box, _nonce(self._opened - 1))
        except (CryptoError, ValueError):
            raise PairingError("what it sent was changed on the way") from None

    def signature(self, identity: Identity) -> bytes:
        """The proof that this side holds its identity's private key, here and now."""
        return identity.sign(self._purpose(self._role))

    def check_signature(self, key: bytes, signature: bytes) -> None:
        """Does the other side hold the private key? Raises PairingError."""
        if not verify(key, signature, self._purpose(OTHER[self._role])):
            raise PairingError("it does not hold the key that it claims")

    def _confirmation_of(self, role: bytes) -> bytes:
        return self._derive(b"confirm " + NAMES[role])

    def _purpose(self, role: bytes) -> bytes:
        return b"meshdoor pairing v1 " + NAMES[role] + b"\0" + self._transcript

    def _derive(self, label: bytes) -> bytes:
        return hashlib.blake2b(label + self._transcript, key=self._key, digest_size=SecretBox.KEY_SIZE).digest()


def _nonce(count: int) -> bytes:
    return count.to_bytes(SecretBox.NONCE_SIZE, "big")
