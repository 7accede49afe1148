package config

import "strings"

// Nearest is the candidate that differs from name in case, or in one or two letters; empty if there is none.
func Nearest(name string, candidates []string) string {
	best, least := "", 3
	for _, candidate := range candidates {
		if len(name) > len(candidate)+least {
			continue // it may be very long
		}
		d := distance(strings.ToLower(name), strings.ToLower(candidate))
		// A word of three letters is two letters away from too much.
		if d < least && d <= len(candidate)/2 {
			best, least = candidate, d
		}
	}
	return best
}

// distance is Levenshtein's, over bytes: names of fields and flags are ASCII.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
