package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

const algorithmCosignatureV1 = 0x04

// A cosigner is a note.Verifier for C2SP tlog-cosignature v1 by Ed25519, which x/mod does not know: the signature is
// 8 bytes of time, then Ed25519 over a header with that time and the note's text.
type cosigner struct {
	name    string
	keyHash uint32
	key     ed25519.PublicKey
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.keyHash }

func (c *cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	seconds := binary.BigEndian.Uint64(signature)
	if seconds>>63 != 0 {
		return false
	}
	return ed25519.Verify(c.key, cosignedMessage(seconds, text), signature[8:])
}

func cosignedMessage(seconds uint64, text []byte) []byte {
	var message bytes.Buffer
	fmt.Fprintf(&message, "cosignature/v1\ntime %d\n", seconds)
	message.Write(text)
	return message.Bytes()
}

// newCosigner reads a vkey, "name+8 hexadecimal digits+base64", of type 0x04.
func newCosigner(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 || parts[0] == "" {
		return nil, fmt.Errorf("a vkey has three parts: %q", vkey)
	}
	material, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(material) != 1+ed25519.PublicKeySize || material[0] != algorithmCosignatureV1 {
		return nil, fmt.Errorf("not a cosignature/v1 key: %q", vkey)
	}
	id := keyHash(parts[0], material)
	if fmt.Sprintf("%08x", id) != parts[1] {
		return nil, fmt.Errorf("the key ID is %08x: %q", id, vkey)
	}
	return &cosigner{parts[0], id, ed25519.PublicKey(material[1:])}, nil
}

// keyHash is the key ID of the C2SP signed-note specification.
func keyHash(name string, material []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), material...))
	return binary.BigEndian.Uint32(sum[:])
}
