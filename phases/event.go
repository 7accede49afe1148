package phases

import "time"

// The kinds of events.
const (
	// Begun is a phase that begins.
	Begun Kind = "begun"
	// Changed is a change that was made.
	Changed Kind = "changed"
	// Waiting is a proof that has failed for now; Text is the reason, told again only when it changes.
	Waiting Kind = "waiting"
	// Crashed is a container that has ended while it was waited for.
	Crashed Kind = "crashed"
	// Warned is something that does not stop the run.
	Warned Kind = "warning"
	// Proved is a phase that is done and healthy.
	Proved Kind = "proved"
	// Done is a phase that is done and has nothing to prove.
	Done Kind = "done"
	// Unproved is a phase that is done but could not be proved, as nobody runs the pods yet.
	Unproved Kind = "unproved"
	// Failed is a phase that failed.
	Failed Kind = "failed"
	// Restored is a phase that failed and whose earlier files are back, and healthy.
	Restored Kind = "restored"
)

// Kind is what an event tells.
type Kind string

// Event is something that happened during Apply: one line of progress, one line of -o json.
type Event struct {
	Time time.Time `json:"time"`
	Kind Kind      `json:"event"`
	// Master is whose event it is where several are brought up; "" otherwise.
	Master string `json:"master,omitempty"`
	Phase  string `json:"phase,omitempty"`
	// Text is for people: the change, the reason, the cause.
	Text string `json:"text,omitempty"`
	// Seconds is how long the phase has taken so far.
	Seconds float64 `json:"seconds,omitempty"`
}
