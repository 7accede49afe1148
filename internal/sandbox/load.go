package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/go-multierror"
)

// Damaged is a sandbox whose record can't be read.
type Damaged struct {
	// Found is what lies in its folder: names and places, no more.
	Found Sandbox
	Err   error
}

// Error says what can be done.
func (e *Damaged) Error() string {
	return fmt.Sprintf("the record of sandbox %s, %s: %v\nhint: put it back from a copy, or tripod sandbox down --name %s takes down all that is there",
		e.Found.Name, filepath.Join(e.Found.dir, record), e.Err, e.Found.Name)
}

func (e *Damaged) Unwrap() error { return e.Err }

// Load reads a sandbox; ErrNotFound if there is none of that name, a *Damaged if its record makes no sense.
func Load(folder, name string) (Sandbox, error) {
	if !nameForm.MatchString(name) { // nor may it lead out of the folder
		return Sandbox{}, fmt.Errorf("%q: %w", name, ErrNotFound)
	}
	s := Sandbox{dir: filepath.Join(folder, name)}
	data, err := os.ReadFile(filepath.Join(s.dir, record))
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	if err != nil {
		return s, err
	}
	if err = json.Unmarshal(data, &s); err == nil {
		err = s.valid(name)
	}
	if err != nil {
		return s, &Damaged{Found: Remains(folder, name), Err: err}
	}
	return s, nil
}

// valid is an error for a record that no tripod has written so.
func (s Sandbox) valid(name string) error {
	switch {
	case s.Name != name:
		return fmt.Errorf("it is that of %q", s.Name)
	case len(s.Masters) == 0 || len(s.Masters) > MostMasters:
		return fmt.Errorf("it has %d masters", len(s.Masters))
	case s.Endpoint.IsValid() && !s.Endpoint.Addr().Is4():
		return fmt.Errorf("its endpoint is %s", s.Endpoint)
	}
	for i, m := range s.Masters {
		if want := masterName(i + 1); m.Name != want {
			return fmt.Errorf("%q is in the place of master %s", m.Name, want)
		}
		if !m.Address.Is4() || !m.Address.IsLoopback() || networkOf(m.Address) != networkOf(s.Masters[0].Address) {
			return fmt.Errorf("%s has the address %s", m.Name, m.Address)
		}
	}
	return nil
}

func masterName(number int) string { return fmt.Sprintf("m%d", number) }

// Remains is what lies in the folder of that name, as far as it takes to end and remove it; no masters where there is nothing.
func Remains(folder, name string) Sandbox {
	s := Sandbox{Name: name, dir: filepath.Join(folder, name)}
	if !nameForm.MatchString(name) {
		return s
	}
	for number := range MostMasters {
		m := Master{Name: masterName(number + 1)}
		if _, err := os.Stat(s.Root(m)); err == nil {
			s.Masters = append(s.Masters, m)
		}
	}
	return s
}

// List reads all sandboxes below folder, by age. The error holds those that can't be read; the others are listed all the same.
func List(folder string) ([]Sandbox, error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []Sandbox
	var errs *multierror.Error
	for _, e := range entries {
		s, err := Load(folder, e.Name())
		switch {
		case err == nil:
			all = append(all, s)
		case !errors.Is(err, ErrNotFound):
			errs = multierror.Append(errs, err)
		}
	}
	slices.SortFunc(all, func(a, b Sandbox) int { return a.Created.Compare(b.Created) })
	return all, errs.ErrorOrNil()
}
