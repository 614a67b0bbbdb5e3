// Package manifeststest holds the manifests of deploy against the types of
// Kubernetes, against each other and against the program that they run: a name
// that the one knows and the other does not is found here and not at night.
package manifeststest
