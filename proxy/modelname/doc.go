// Package modelname knows how models are named: the forms of one name, which of them are Workers AI's own, which are
// other people's, and patterns of names that lists allow.
//
// It must never know a price, a client or a call. Begin with Canonical, then read Pattern.
package modelname
