// Package host is one machine: its files, its lock and journal, what can be learnt about
// it before anything is decided, and the kubelet that runs its static pods.
//
// Files are written so that a crash at any moment leaves either the old file or the new
// one, never a part of one, and never a name that the kubelet would take for a manifest:
// see Host.Commit. A certificate and its key are two files and can not be renamed at
// once; Host.ReadPair finishes by reading what a crash between the two left behind.
//
// The package knows nothing of Kubernetes objects, certificates' contents or phases.
package host
