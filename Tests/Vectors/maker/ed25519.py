"""Ed25519 after RFC 8032, in integers: slow, not in constant time, for published test keys only.

It shares no code with the verifier that it makes vectors for, and it gives out what a careful library hides: points,
scalars and encodings that no signer would make.
"""

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

# Points are (x, y, z, t) with x/z and y/z the coordinates and x*y = z*t (RFC 8032 section 5.1.4).
IDENTITY = (0, 1, 1, 0)


def add(a, b):
    f = (a[1] - a[0]) * (b[1] - b[0]) % P
    g = (a[1] + a[0]) * (b[1] + b[0]) % P
    c = 2 * a[3] * b[3] * D % P
    d = 2 * a[2] * b[2] % P
    e, h, i, j = g - f, d - c, d + c, g + f
    return e * h % P, i * j % P, h * i % P, e * j % P


def negate(a):
    return -a[0] % P, a[1], a[2], -a[3] % P


def multiply(scalar, point):
    result = IDENTITY
    while scalar > 0:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def equal(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def x_of(y, sign):
    """The x that belongs to a y, or None where there is none."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P != 0:
        x = x * SQRT_OF_MINUS_ONE % P
    if (x * x - square) % P != 0:
        return None
    return P - x if x & 1 != sign else x


def point(x, y):
    return x, y, 1, x * y % P


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = point(x_of(BASE_Y, 0), BASE_Y)


def _table():
    """Each digit's multiples of the base point: 64 digits of 4 bits."""
    rows, step = [], BASE
    for _ in range(64):
        row = [IDENTITY]
        for _ in range(15):
            row.append(add(row[-1], step))
        rows.append(row)
        step = add(row[-1], step)
    return rows


_TABLE = _table()


def multiply_base(scalar):
    result = IDENTITY
    for row in _TABLE:
        result = add(result, row[scalar & 15])
        scalar >>= 4
    return result


def encode(a):
    inverse = pow(a[2], P - 2, P)
    x, y = a[0] * inverse % P, a[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(data):
    """The point of a canonical encoding, or None."""
    number = int.from_bytes(data, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    if y >= P:
        return None
    x = x_of(y, sign)
    return None if x is None else point(x, y)


def hash_scalar(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def _order_eight():
    """A point of order 8: what is left of any point of the curve when the prime order is taken out."""
    y = 2
    while True:
        x = x_of(y, 0)
        if x is not None:
            torsion = multiply(L, point(x, y))
            if not equal(multiply(4, torsion), IDENTITY):
                return torsion
        y += 1


TORSION = _order_eight()


class Key:
    """A key pair made from a label. Anyone can make it again: it protects nothing."""

    # All that any key signed: a verifier that accepts a signature on anything else is broken.
    messages = set()

    def __init__(self, label):
        self.label = label
        seed = hashlib.sha256(b"synchronicity test vector key, not a secret: " + label.encode()).digest()
        digest = hashlib.sha512(seed).digest()
        self.scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | 1 << 254
        self.prefix = digest[32:]
        self.public = encode(multiply_base(self.scalar))
        self._signed = {}

    def sign(self, message):
        if message not in self._signed:
            Key.messages.add(message)
            nonce = hash_scalar(self.prefix, message)
            start = encode(multiply_base(nonce))
            challenge = hash_scalar(start, self.public, message)
            end = (nonce + challenge * self.scalar) % L
            self._signed[message] = start + end.to_bytes(32, "little")
        return self._signed[message]


def verify(public, message, signature, cofactored=False):
    """The rule of the verifier under test: canonical S and points, none of small order, no cofactor.

    cofactored: the other rule that is in use, for showing that a vector tells the two apart.
    """
    key, start = decode(public), decode(signature[:32])
    end = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or start is None or end >= L:
        return False
    if not cofactored and (has_small_order(key) or has_small_order(start)):
        return False
    challenge = hash_scalar(signature[:32], public, message)
    left, right = multiply_base(end), add(start, multiply(challenge, key))
    if cofactored:
        left, right = multiply(8, left), multiply(8, right)
    return equal(left, right)


def has_small_order(a):
    return equal(multiply(8, a), IDENTITY)
