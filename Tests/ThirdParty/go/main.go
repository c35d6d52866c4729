// The command thirdparty checks a proof with other people's code: unmodified golang.org/x/mod/sumdb/note and tlog.
// It shares nothing with the verifier in Sources/SyncProof but the published formats.
//
//	thirdparty [-flip] POLICY PROOF…
//
// It says "accepted" or why not, a line for each proof, and exits with 0, 1 (not proved) or 2 (usage, unreadable).
// With -flip it also flips bits of each proof's leaf, path and checkpoint, and wants every change refused.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// flipsMax bounds the changes that are tried on one proof.
const flipsMax = 2000

func main() {
	flip := flag.Bool("flip", false, "also want every changed proof refused")
	flag.Parse()
	if flag.NArg() < 2 {
		fmt.Fprintln(os.Stderr, "usage: thirdparty [-flip] POLICY PROOF…")
		os.Exit(2)
	}
	policyText := read(flag.Arg(0))
	policy, err := parsePolicy(policyText)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", flag.Arg(0), err)
		os.Exit(2)
	}
	status := 0
	for _, path := range flag.Args()[1:] {
		text := read(path)
		line, err := verify(policy, text)
		if err == nil && *flip {
			var count int
			count, err = flipAll(policy, text)
			line = fmt.Sprintf("%s, %d changes refused", line, count)
		}
		if err != nil {
			fmt.Printf("%s: refused: %v\n", path, err)
			status = 1
			continue
		}
		fmt.Printf("%s: accepted: %s\n", path, line)
	}
	os.Exit(status)
}

func read(path string) string {
	bytes, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return string(bytes)
}

func verify(policy *policy, text string) (string, error) {
	proof, err := parseProof(text)
	if err != nil {
		return "", err
	}
	cosigners, err := proof.check(policy)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("leaf %d, hash %v, %d cosigners", proof.index, tlog.RecordHash(proof.leaf), len(cosigners)), nil
}

// flipAll flips one bit of bytes from the file's start to the end of the checkpoint's text, spread evenly.
func flipAll(policy *policy, text string) (int, error) {
	end := strings.Index(text, "\n\n")
	end += 2 + strings.Index(text[end+2:], "\n\n")
	step := end/flipsMax + 1
	count := 0
	for i := 0; i < end; i += step {
		changed := []byte(text)
		changed[i] ^= 1 << (i % 7)
		if _, err := verify(policy, string(changed)); err == nil {
			return count, fmt.Errorf("accepted with byte %d changed from %q to %q", i, text[i], changed[i])
		}
		count++
	}
	return count, nil
}
