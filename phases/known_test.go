package phases

import (
	"errors"
	"testing"
)

func TestKnown(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		fact   Known[int]
		there  bool
		absent bool
		why    error
	}{
		"zero":    {why: errNotAsked},
		"there":   {fact: There(7), there: true},
		"absent":  {fact: Absent[int](), absent: true},
		"unknown": {fact: Unknown[int](refused), why: refused},
	} {
		value, there := c.fact.Value()
		if there != c.there || there != (value == 7) || c.fact.Absent() != c.absent || !errors.Is(c.fact.Err(), c.why) || (c.why == nil) != (c.fact.Err() == nil) {
			t.Errorf("%s: %v %v, absent %v, %v", name, value, there, c.fact.Absent(), c.fact.Err())
		}
	}
}
