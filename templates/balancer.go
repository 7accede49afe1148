package templates

import _ "embed" // the template is a file

//go:embed balancer.yaml
var balancer string

// Balancer is the template of balancer.yaml, what a sandbox of several masters has in front of them.
func Balancer() string { return common + balancer }
