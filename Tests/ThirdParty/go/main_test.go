package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

const origin = "log.example"

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('A'+seed)), ed25519.SeedSize)))
}

func vkey(name string, algorithm byte, private ed25519.PrivateKey) string {
	material := append([]byte{algorithm}, private.Public().(ed25519.PublicKey)...)
	return fmt.Sprintf("%s+%08x+%s", name, keyHash(name, material), base64.StdEncoding.EncodeToString(material))
}

func signatureLine(name string, algorithm byte, private ed25519.PrivateKey, blob []byte) string {
	material := append([]byte{algorithm}, private.Public().(ed25519.PublicKey)...)
	line := binary.BigEndian.AppendUint32(nil, keyHash(name, material))
	return fmt.Sprintf("— %s %s\n", name, base64.StdEncoding.EncodeToString(append(line, blob...)))
}

// sample makes a log of five leaves, a policy of two of three witnesses, and the proof of leaf 3 with k cosignatures.
func sample(t *testing.T, cosigners int) (policyText, proofText string) {
	t.Helper()
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = hashes[x]
		}
		return out, nil
	})
	leaf := func(i int64) []byte { return []byte(fmt.Sprintf("leaf %d", i)) }
	for i := int64(0); i < 5; i++ {
		more, err := tlog.StoredHashes(i, leaf(i), reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	root, err := tlog.TreeHash(5, reader)
	if err != nil {
		t.Fatal(err)
	}
	path, err := tlog.ProveRecord(5, 3, reader)
	if err != nil {
		t.Fatal(err)
	}

	text := fmt.Sprintf("%s\n5\n%s\n", origin, base64.StdEncoding.EncodeToString(root[:]))
	policyText = "log " + vkey(origin, 1, key(0)) + "\n"
	lines := signatureLine(origin, 1, key(0), ed25519.Sign(key(0), []byte(text)))
	for i := 1; i <= 3; i++ {
		name := fmt.Sprintf("w%d.%s", i, origin)
		policyText += fmt.Sprintf("witness w%d %s\nbuilder b%d %s\n", i, vkey(name, 4, key(byte(i))), i, vkey(name, 1, key(byte(9+i))))
		if i <= cosigners {
			seconds := uint64(1_700_000_000 + i)
			blob := binary.BigEndian.AppendUint64(nil, seconds)
			blob = append(blob, ed25519.Sign(key(byte(i)), cosignedMessage(seconds, []byte(text)))...)
			lines += signatureLine(name, 4, key(byte(i)), blob)
		}
	}
	policyText += "group all-witnesses 2 w1 w2 w3\nquorum all-witnesses\ngroup all-builders all b1 b2 b3\nreproducers all-builders\n"

	proofText = "c2sp.org/tlog-proof@v1\nextra " + base64.StdEncoding.EncodeToString(leaf(3)) + "\nindex 3\n"
	for _, hash := range path {
		proofText += base64.StdEncoding.EncodeToString(hash[:]) + "\n"
	}
	return policyText, proofText + "\n" + text + "\n" + lines
}

func TestProofs(t *testing.T) {
	strangers := "— w9.log.example AAAAAAAAAAA=\n"
	rows := []struct {
		name      string
		cosigners int
		change    func(policy, proof string) (string, string)
		accepted  bool
	}{
		{"a quorum of two", 2, nil, true},
		{"all three", 3, nil, true},
		{"one cosigner too few", 1, nil, false},
		{"a stranger's signature is skipped", 2, func(p, f string) (string, string) { return p, f + strangers }, true},
		{"another origin's log", 3, func(p, f string) (string, string) {
			return strings.Replace(p, vkey(origin, 1, key(0)), vkey("other.example", 1, key(0)), 1), f
		}, false},
		{"a log key that did not sign", 3, func(p, f string) (string, string) {
			return strings.Replace(p, vkey(origin, 1, key(0)), vkey(origin, 1, key(7)), 1), f
		}, false},
		{"an index with a leading zero", 3, func(p, f string) (string, string) {
			return p, strings.Replace(f, "index 3", "index 03", 1)
		}, false},
		{"a neighbour's index", 3, func(p, f string) (string, string) {
			return p, strings.Replace(f, "index 3", "index 2", 1)
		}, false},
		{"no leaf", 3, func(p, f string) (string, string) {
			return p, strings.Replace(f, "extra bGVhZiAz\n", "", 1)
		}, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			policyText, proofText := sample(t, row.cosigners)
			if row.change != nil {
				policyText, proofText = row.change(policyText, proofText)
			}
			policy, err := parsePolicy(policyText)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := verify(policy, proofText); (err == nil) != row.accepted {
				t.Fatalf("accepted %v is wrong: %v", err == nil, err)
			}
			if row.accepted {
				if _, err := flipAll(policy, proofText); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestPoliciesRefused(t *testing.T) {
	whole, _ := sample(t, 3)
	rows := map[string]string{
		"empty":                "",
		"no quorum":            strings.Replace(whole, "quorum all-witnesses\n", "", 1),
		"two quorums":          whole + "quorum none\n",
		"threshold above size": strings.Replace(whole, "all-witnesses 2", "all-witnesses 4", 1),
		"threshold zero":       strings.Replace(whole, "all-witnesses 2", "all-witnesses 0", 1),
		"undefined member":     strings.Replace(whole, "w1 w2 w3", "w1 w2 w4", 1),
		"a name twice":         whole + "group w1 any w2\n",
		"a log key's type":     strings.Replace(whole, vkey("w1."+origin, 4, key(1)), vkey("w1."+origin, 1, key(1)), 1),
		"an unknown line":      whole + "weather fair\n",
	}
	for name, text := range rows {
		if _, err := parsePolicy(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
