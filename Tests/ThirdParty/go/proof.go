package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A proof is a C2SP tlog-proof@v1 file whose extra data is the leaf.
type proof struct {
	leaf       []byte
	index      int64
	path       tlog.RecordProof
	checkpoint string
}

var strict = base64.StdEncoding.Strict()

func parseProof(text string) (*proof, error) {
	if strings.Contains(text, "\r") {
		return nil, errors.New("a carriage return")
	}
	head, checkpoint, found := strings.Cut(text, "\n\n")
	if !found {
		return nil, errors.New("no empty line before the checkpoint")
	}
	lines := strings.Split(head, "\n")
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return nil, errors.New("the first line is not c2sp.org/tlog-proof@v1, or lines are missing")
	}
	p := &proof{checkpoint: checkpoint}
	var err error
	if p.leaf, err = strict.DecodeString(strings.TrimPrefix(lines[1], "extra ")); err != nil {
		return nil, fmt.Errorf("extra: %w", err)
	}
	if !strings.HasPrefix(lines[1], "extra ") || !strings.HasPrefix(lines[2], "index ") {
		return nil, errors.New("no extra line, or no index line after it")
	}
	if p.index, err = decimal(strings.TrimPrefix(lines[2], "index ")); err != nil {
		return nil, err
	}
	for _, line := range lines[3:] {
		hash, err := parseHash(line)
		if err != nil {
			return nil, err
		}
		p.path = append(p.path, hash)
	}
	return p, nil
}

// check returns the names of the policy's witnesses that cosigned, or why the proof does not hold.
func (p *proof) check(policy *policy) ([]string, error) {
	verifiers := append([]note.Verifier{}, policy.logs...)
	for _, witness := range policy.witnesses {
		verifiers = append(verifiers, witness)
	}
	opened, err := note.Open([]byte(p.checkpoint), note.VerifierList(verifiers...))
	if err != nil {
		return nil, err
	}
	origin, size, root, err := parseCheckpoint(opened.Text)
	if err != nil {
		return nil, err
	}
	if err := tlog.CheckRecord(p.path, size, root, p.index, tlog.RecordHash(p.leaf)); err != nil {
		return nil, err
	}

	signed := map[string]bool{} // "name+ID" of each key whose signature holds
	for _, s := range opened.Sigs {
		signed[fmt.Sprintf("%s+%08x", s.Name, s.Hash)] = true
	}
	has := func(v note.Verifier) bool { return signed[fmt.Sprintf("%s+%08x", v.Name(), v.KeyHash())] }
	byLog := false
	for _, log := range policy.logs {
		byLog = byLog || (log.Name() == origin && has(log))
	}
	if !byLog {
		return nil, fmt.Errorf("no log of the policy with the name %q signed", origin)
	}
	cosigned := map[string]bool{}
	var names []string
	for name, witness := range policy.witnesses {
		if has(witness) {
			cosigned[name] = true
			names = append(names, name)
		}
	}
	if !policy.satisfied(policy.quorum, cosigned) {
		return nil, fmt.Errorf("%d witnesses cosigned; the quorum %q is missed", len(names), policy.quorum)
	}
	return names, nil
}

func parseCheckpoint(text string) (origin string, size int64, root tlog.Hash, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] == "" {
		return "", 0, root, errors.New("a checkpoint has three lines")
	}
	if size, err = decimal(lines[1]); err != nil {
		return "", 0, root, err
	}
	root, err = parseHash(lines[2])
	return lines[0], size, root, err
}

func parseHash(text string) (tlog.Hash, error) {
	var hash tlog.Hash
	bytes, err := strict.DecodeString(text)
	if err != nil || len(bytes) != len(hash) {
		return hash, fmt.Errorf("not a hash: %q", text)
	}
	copy(hash[:], bytes)
	return hash, nil
}

func decimal(text string) (int64, error) {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < 0 || strconv.FormatInt(value, 10) != text {
		return 0, fmt.Errorf("not a decimal number: %q", text)
	}
	return value, nil
}
