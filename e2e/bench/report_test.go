package main

import "testing"

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		all  []float64
		want float64
	}{
		{"none", nil, 0},
		{"one", []float64{3}, 3},
		{"odd", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 2, 9}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := median(test.all); got != test.want {
				t.Errorf("median of %v is %v, want %v", test.all, got, test.want)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	r := report{Samples: map[string][]sample{"d": {{Seconds: 6}, {Seconds: 5}, {Seconds: 7}}, "e": {{Seconds: 5}}}}
	r.ratio("d/e", "d", "e", 1.1)
	r.ratio("d/c", "d", "c", 0.95)
	if len(r.Bounds) != 1 || r.Bounds[0].Value != 1.2 || !r.missed() {
		t.Errorf("bounds are %+v", r.Bounds)
	}
}
