// Package logtest keeps what is logged in tests. It knows nothing of ours.
package logtest
