package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// A policy is what C2SP tlog-policy says of checkpoints. Lines about builders are another verifier's matter: their
// names are kept, so that a group of them parses, and never count.
type policy struct {
	logs      []note.Verifier
	witnesses map[string]note.Verifier
	groups    map[string]group
	quorum    string // "none", a witness or a group
}

type group struct {
	threshold int
	members   []string
}

func parsePolicy(text string) (*policy, error) {
	p := &policy{witnesses: map[string]note.Verifier{}, groups: map[string]group{}}
	names := map[string]bool{"none": true}
	define := func(name string) error {
		if names[name] {
			return fmt.Errorf("%q is defined twice", name)
		}
		names[name] = true
		return nil
	}
	for i, line := range strings.Split(text, "\n") {
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := p.parseLine(words, names, define); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if p.quorum == "" {
		return nil, errors.New("no quorum line")
	}
	if len(p.logs) == 0 {
		return nil, errors.New("no log line")
	}
	return p, nil
}

func (p *policy) parseLine(words []string, names map[string]bool, define func(string) error) error {
	switch kind := words[0]; {
	case kind == "log" && (len(words) == 2 || len(words) == 3):
		log, err := note.NewVerifier(words[1])
		if err != nil {
			return err
		}
		p.logs = append(p.logs, log)
		return nil
	case kind == "witness" && (len(words) == 3 || len(words) == 4):
		witness, err := newCosigner(words[2])
		if err != nil {
			return err
		}
		p.witnesses[words[1]] = witness
		return define(words[1])
	case kind == "builder" && len(words) == 3:
		return define(words[1])
	case kind == "group" && len(words) >= 4:
		return p.parseGroup(words[1], words[2], words[3:], names, define)
	case kind == "quorum" && len(words) == 2:
		if p.quorum != "" || !names[words[1]] {
			return fmt.Errorf("a second quorum, or an undefined one: %q", words[1])
		}
		p.quorum = words[1]
		return nil
	case kind == "reproducers" && len(words) == 2:
		return nil
	default:
		return fmt.Errorf("not a policy line: %q", strings.Join(words, " "))
	}
}

func (p *policy) parseGroup(name, rule string, members []string, names map[string]bool, define func(string) error) error {
	threshold, err := strconv.Atoi(rule)
	switch {
	case rule == "all":
		threshold = len(members)
	case rule == "any":
		threshold = 1
	case err != nil || threshold < 1 || threshold > len(members) || strconv.Itoa(threshold) != rule:
		return fmt.Errorf("the threshold %q is not within 1...%d", rule, len(members))
	}
	for _, member := range members {
		if member == "none" || !names[member] {
			return fmt.Errorf("the member %q is not defined above", member)
		}
	}
	p.groups[name] = group{threshold, members}
	return define(name)
}

// satisfied tells whether the quorum holds when the named witnesses have cosigned.
func (p *policy) satisfied(name string, cosigned map[string]bool) bool {
	g, isGroup := p.groups[name]
	if !isGroup {
		return name == "none" || cosigned[name]
	}
	count := 0
	for _, member := range g.members {
		if p.satisfied(member, cosigned) {
			count++
		}
	}
	return count >= g.threshold
}
