package node

import (
	"encoding/hex"
	"fmt"
)

// Digest is a SHA-256 digest: a job's identity, or an artifact's. It converts to package synchronicity's and back.
type Digest [32]byte

// ParseDigest reads 64 hexadecimal digits of either case.
func ParseDigest(text string) (Digest, error) {
	var digest Digest
	if len(text) != hex.EncodedLen(len(digest)) {
		return Digest{}, fmt.Errorf("a SHA-256 digest is 64 hexadecimal digits, not %d characters", len(text))
	}
	if _, err := hex.Decode(digest[:], []byte(text)); err != nil {
		return Digest{}, fmt.Errorf("a SHA-256 digest is 64 hexadecimal digits: %w", err)
	}
	return digest, nil
}

// String returns 64 lowercase hexadecimal digits.
func (d Digest) String() string {
	return hex.EncodeToString(d[:])
}

// IsZero reports whether the digest stands for none.
func (d Digest) IsZero() bool {
	return d == Digest{}
}

// MarshalText returns what String does.
func (d Digest) MarshalText() ([]byte, error) {
	return []byte(d.String()), nil
}

// UnmarshalText reads what ParseDigest does.
func (d *Digest) UnmarshalText(text []byte) error {
	parsed, err := ParseDigest(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
