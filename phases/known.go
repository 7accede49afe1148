package phases

import "errors"

// Known is a fact that is read from somewhere that may not answer: the cluster's API, etcd, the kubelet, a damaged file.
// It is known; or absent, which somebody says who can know; or unknown, with the reason. It has to be opened to be used, so
// that what could not be learned is never taken for what is not there. The zero value is unknown: nobody has asked.
type Known[T any] struct {
	value   T
	answer  answer
	unknown error
}

// answer is how a question ended.
type answer int

const (
	notAsked answer = iota
	isThere
	isAbsent
)

// errNotAsked is why a fact is unknown after which nobody has asked.
var errNotAsked = errors.New("nobody has been asked")

// There is a fact that is known.
func There[T any](value T) Known[T] { return Known[T]{value: value, answer: isThere} }

// Absent is a fact of which somebody who can know says that it is not there.
func Absent[T any]() Known[T] { return Known[T]{answer: isAbsent} }

// Unknown is a fact that could not be learned, and why.
func Unknown[T any](why error) Known[T] { return Known[T]{unknown: why} }

// Value is the fact, and whether it is known and there.
func (k Known[T]) Value() (T, bool) { return k.value, k.answer == isThere }

// Absent says that somebody who can know says that it is not there.
func (k Known[T]) Absent() bool { return k.answer == isAbsent }

// Err is why the fact is unknown; nil if it is known or absent.
func (k Known[T]) Err() error {
	switch {
	case k.answer != notAsked:
		return nil
	case k.unknown == nil:
		return errNotAsked
	}
	return k.unknown
}
