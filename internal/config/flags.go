package config

import (
	"reflect"
	"time"

	"github.com/spf13/pflag"
)

// flag is one flag of a verb whose flags are O, and the field of the documents that it stands for
// (field and apply may be empty).
type flag[O any] struct {
	name, field, usage string
	// short is the flag's letter, mostly empty.
	short string
	// also is a second field that the flag stands for, mostly empty.
	also string
	// mixes says that the flag may be given together with --config.
	mixes bool
	// adds says that the flag adds to what the file lists: the file's lines then stay known.
	adds bool
	// preset says that AddFlags fills in the default, for --help to show it: only a flag that was typed counts.
	preset bool
	at     func(*O) any
	apply  func(O, *Config)
}

// flags are all flags of a verb. kubeadm's rule of what may be mixed with --config is kept.
type flags[O any] []flag[O]

// addTo adds the flags to fs, bound to the fields of o.
func (all flags[O]) addTo(fs *pflag.FlagSet, o *O) {
	for _, f := range all {
		switch p := f.at(o).(type) {
		case *string:
			fs.StringVarP(p, f.name, f.short, *p, f.usage)
		case *int:
			fs.IntVarP(p, f.name, f.short, *p, f.usage)
		case *int32:
			fs.Int32Var(p, f.name, *p, f.usage)
		case *bool:
			fs.BoolVarP(p, f.name, f.short, *p, f.usage)
		case *[]string:
			fs.StringSliceVar(p, f.name, *p, f.usage)
		case *time.Duration:
			fs.DurationVar(p, f.name, *p, f.usage)
		}
	}
}

// apply puts the flags into the documents and remembers where the values came from. fs may be nil.
func (all flags[O]) apply(o O, fs *pflag.FlagSet, c *Config, from origins) {
	for _, f := range all {
		given := typed(fs, f.name) || !f.preset && !reflect.ValueOf(f.at(&o)).Elem().IsZero()
		if f.apply == nil || !given {
			continue
		}
		f.apply(o, c)
		for _, field := range []string{f.field, f.also} {
			if _, written := from[field]; field != "" && !(written && f.adds) {
				from[field] = origin{source: "--" + f.name}
			}
		}
	}
}

// check finds the flags that do not go together with the file.
func (all flags[O]) check(fs *pflag.FlagSet, source string) []Complaint {
	var complaints []Complaint
	for _, f := range all {
		if source != "" && typed(fs, f.name) && !f.mixes {
			c := Complaint{Source: "--" + f.name, Problem: "can not be given together with --config"}
			complaints = append(complaints, c.hint("write %s into %s", f.field, source))
		}
	}
	return complaints
}

// typed says that the flag was given on the command line.
func typed(fs *pflag.FlagSet, name string) bool { return fs != nil && fs.Changed(name) }
