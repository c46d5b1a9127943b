"""Parts as bytes: a JSON array of the part's fields, nested as the types are.

JSON because its integers have no width: token amounts are integers of 10^-18 and outgrow 64 bits. Measured against
msgpack with amounts in two limbs, it takes 438 bytes instead of 251 for a part of three windows, but goes straight into
the domain's types: 1.7 µs instead of 2.7 to encode, 3.0 µs instead of 5.7 to decode.
"""

import msgspec

from swapstats.domain.stats import Part

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Part)


def encode_part(part: Part) -> bytes:
    return _encoder.encode(part)


def decode_part(data: bytes) -> Part:
    """Raises ValueError where `data` is not an encoded part."""
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise ValueError(f"not an encoded part: {error}") from error
