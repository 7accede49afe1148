package certs

import (
	"crypto"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"
)

// Fill returns a pair for every request: the one of have if it still fits, otherwise a new one.
// An issuer's request comes before those that name it. Keys are drawn on all cores. The error
// holds everything that is wrong; there are no pairs then. An issuer without its key stands in
// the way only of what has to be issued.
func Fill(requests []Request, have map[string]Pair, now time.Time) (map[string]Pair, error) {
	slots := make(map[string]slot, len(requests))
	for _, r := range requests {
		s, err := newSlot(r, slots, have)
		if err != nil {
			return nil, err
		}
		s.fill = sync.OnceValues(func() (Pair, error) { return s.pair(now) })
		slots[r.Name] = s
	}
	var all sync.WaitGroup
	for _, s := range slots {
		all.Go(func() { _, _ = s.fill() })
	}
	all.Wait()
	return collect(requests, slots)
}

// slot is the place of one pair. Whoever needs the pair first calls fill, all others wait for it.
type slot struct {
	Request
	old    *Pair
	issuer *slot
	fill   func() (Pair, error)
}

func newSlot(r Request, earlier map[string]slot, have map[string]Pair) (slot, error) {
	s := slot{Request: r}
	if old, ok := have[r.Name]; ok {
		s.old = &old
	}
	if r.Issuer == "" {
		return s, nil
	}
	issuer, ok := earlier[r.Issuer]
	if !ok {
		return slot{}, fmt.Errorf("%s: its issuer %s is not requested before it", r.Name, r.Issuer)
	}
	s.issuer = &issuer
	return s, nil
}

func (s slot) pair(now time.Time) (Pair, error) {
	switch {
	case s.old == nil:
		return s.issue("missing", now)
	case s.issuer != nil && s.issuer.old == nil:
		return Pair{}, blocked{orphaned, s.issuer.label(), s.label()}
	}
	err := s.fits(now)
	switch {
	case err == nil:
		return *s.old, nil
	case errors.Is(err, ErrStale):
		return s.issue(err.Error(), now)
	}
	return Pair{}, fmt.Errorf("%s: %w", s.label(), err)
}

func (s slot) fits(now time.Time) error {
	if s.issuer != nil {
		issuer, err := s.issuer.fill()
		if err != nil {
			return errIssuer
		}
		return s.old.Fits(s.Spec, issuer, now)
	}
	if s.Spec.CA {
		return s.old.Fits(s.Spec, Pair{}, now)
	}
	return s.old.Fits(s.Spec, *s.old, now)
}

func (s slot) issue(why string, now time.Time) (Pair, error) {
	if s.issuer != nil && s.issuer.old != nil && s.issuer.old.Key == nil {
		return Pair{}, blocked{keyless, s.issuer.label(), s.label() + " (" + why + ")"}
	}
	// Drawn before the issuer is waited for: that may still be drawing its own.
	key, err := s.Spec.Algorithm.draw()
	if err != nil {
		return Pair{}, fmt.Errorf("%s: %w", s.label(), err)
	}
	p, err := s.sign(key, now)
	if err != nil {
		return Pair{}, fmt.Errorf("%s: %w", s.label(), err)
	}
	return p, nil
}

func (s slot) sign(key crypto.Signer, now time.Time) (Pair, error) {
	if s.issuer == nil {
		return sign(s.Spec, key, nil, now)
	}
	issuer, err := s.issuer.fill()
	if err != nil {
		return Pair{}, errIssuer
	}
	return sign(s.Spec, key, &issuer, now)
}

// errIssuer is what stops a pair whose issuer has an error of its own, which is reported once.
var errIssuer = errors.New("the issuer can not be used")

// blocked is a pair that the state of its issuer stands in the way of. All those with the same
// cause are one error.
type blocked struct {
	cause        string
	issuer, name string
}

const (
	keyless = "%[1]s has no key here, and these would have to be issued by it: %[2]s\n" +
		"hint: have them signed where the key of %[1]s is kept and put them in place, or put the key in place"
	orphaned = "%[1]s is missing, although there are certificates that it should have signed: %[2]s\n" +
		"hint: put %[1]s back (certificate and key), or remove them to begin anew"
)

func (b blocked) Error() string { return fmt.Sprintf(b.cause, b.issuer, b.name) }

func collect(requests []Request, slots map[string]slot) (map[string]Pair, error) {
	pairs := make(map[string]Pair, len(requests))
	var failed []error
	for _, r := range requests {
		pair, err := slots[r.Name].fill()
		if err != nil {
			failed = append(failed, err)
			continue
		}
		pairs[r.Name] = pair
	}
	if len(failed) > 0 {
		return nil, merge(failed)
	}
	return pairs, nil
}

func merge(failed []error) error {
	var all *multierror.Error
	groups := map[blocked]int{}
	for _, err := range failed {
		if errors.Is(err, errIssuer) {
			continue
		}
		b, ok := err.(blocked)
		if !ok {
			all = multierror.Append(all, err)
			continue
		}
		group := blocked{cause: b.cause, issuer: b.issuer}
		at, seen := groups[group]
		if !seen {
			groups[group] = len(all.WrappedErrors())
			all = multierror.Append(all, b)
			continue
		}
		b.name = all.Errors[at].(blocked).name + ", " + b.name
		all.Errors[at] = b
	}
	return all.ErrorOrNil()
}
