package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"tripod.dev/tripod/e2e/lab"
)

// report is everything that was measured.
type report struct {
	Runs     int                 `json:"runs"`
	Samples  map[string][]sample `json:"samples"`  // by the contender's letter
	Binaries map[string]int64    `json:"binaries"` // bytes
	Bounds   []bound             `json:"bounds"`
}

// bound is something that must hold: a median, or the ratio of two.
type bound struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Most  float64 `json:"most"`
	Holds bool    `json:"holds"`
}

// weigh compares what was measured with what is wanted. What was not run is not judged.
func (r *report) weigh(l lab.Lab) error {
	r.Binaries = map[string]int64{}
	for name, path := range map[string]string{"tripod": l.Tripod(), "kubeadm": l.Component(lab.Default, "kubeadm")} {
		if info, err := os.Stat(path); err == nil {
			r.Binaries[name] = info.Size()
		}
	}
	r.ratio("b/a  tripod sandbox up : raw processes", "b", "a", 1.15)
	r.ratio("d/c  tripod init : kubeadm init", "d", "c", 0.95)
	r.ratio("f/e  tripod init, its pods : the kubelet's floor", "f", "e", 1.10)
	r.ratio("n/m  tripod init : kubeadm init, in a kind node", "n", "m", 0.9)
	r.ratio("p/o  tripod join : kubeadm join, of a worker", "p", "o", 0.5)
	r.ratio("r/q  kind with tripod : with kubeadm, 1 master", "r", "q", 1.0)
	r.ratio("t/s  the same, 1 master and 2 workers", "t", "s", 0.85)
	r.ratio("v/u  tripod join : kubeadm join, of a master", "v", "u", 0.35)
	r.ratio("x/w  kind with tripod : with kubeadm, 3 masters", "x", "w", 0.65)
	r.ratio("y/b  tripod sandbox up: 3 masters : 1", "y", "b", 2.5)
	// 0.3 s where kubeadm takes 1.05 s: as a ratio, since both are slower where others compute, too.
	r.compare("CPU of tripod init : kubeadm init's", r.column("d", cpu), r.column("c", cpu), 0.3/1.05)
	r.compare("CPU of tripod sandbox up : kubeadm init's", r.column("b", cpu), r.column("c", cpu), 0.3/1.05)
	r.ratio("h/g  tripod upgrade : kubeadm upgrade, of a master", "h", "g", 0.08)
	if len(r.Samples["i"]) > 0 {
		r.bound("seconds of an apply that changes nothing", median(r.column("i", seconds)), 1)
	}
	if len(r.Samples["j"]) > 0 {
		r.bound("seconds that an apiserver of 3 is away", median(r.column("j", seconds)), 8)
	}
	if len(r.Samples["k"]) > 0 {
		r.bound("seconds for all certificates", median(r.column("k", seconds)), 0.1)
	}
	r.bound("MB of tripod's binary", float64(r.Binaries["tripod"])/1e6, 60)
	slices.SortFunc(r.Bounds, func(a, b bound) int { return strings.Compare(a.What, b.What) })
	return nil
}

func (r *report) ratio(what, over, under string, most float64) {
	r.compare(what, r.column(over, seconds), r.column(under, seconds), most)
}

// compare bounds the ratio of two medians. What was not run is not judged.
func (r *report) compare(what string, over, under []float64, most float64) {
	if len(over) > 0 && len(under) > 0 {
		r.bound(what, median(over)/median(under), most)
	}
}

func (r *report) bound(what string, value, most float64) {
	r.Bounds = append(r.Bounds, bound{What: what, Value: value, Most: most, Holds: value <= most})
}

// missed says whether a bound does not hold.
func (r report) missed() bool {
	return slices.ContainsFunc(r.Bounds, func(b bound) bool { return !b.Holds })
}

func (r report) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// text prints minimum, median and maximum of everything.
func (r report) text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\n\tmin\tmedian\tmax\tCPU s\tpeak MiB\t\n")
	for _, c := range contenders {
		if all := r.column(c.letter, seconds); len(all) > 0 {
			fmt.Fprintf(t, "(%s) %s, s\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t\n", c.letter, c.what, slices.Min(all), median(all), slices.Max(all),
				median(r.column(c.letter, cpu)), median(r.column(c.letter, memory)))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nbinaries: tripod %.1f MB, kubeadm %.1f MB\n\n", float64(r.Binaries["tripod"])/1e6, float64(r.Binaries["kubeadm"])/1e6)
	for _, b := range r.Bounds {
		verdict := "ok"
		if !b.Holds {
			verdict = "MISSED"
		}
		fmt.Fprintf(w, "%-44s %6.2f  (at most %.2f)  %s\n", b.What, b.Value, b.Most, verdict)
	}
	return nil
}

func seconds(s sample) float64 { return s.Seconds }
func cpu(s sample) float64     { return s.CPU }
func memory(s sample) float64  { return float64(s.Memory) / (1 << 20) }

func (r report) column(letter string, of func(sample) float64) []float64 {
	var all []float64
	for _, s := range r.Samples[letter] {
		all = append(all, of(s))
	}
	return all
}

// median is the middle one, or the mean of the two in the middle.
func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	all = slices.Sorted(slices.Values(all))
	middle := len(all) / 2
	if len(all)%2 == 1 {
		return all[middle]
	}
	return (all[middle-1] + all[middle]) / 2
}
