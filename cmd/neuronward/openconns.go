package main

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// openConns counts the open connections of servers.
type openConns struct{ open sync.WaitGroup }

// count counts the connections of a server that has not begun to serve, besides what it does itself.
func (o *openConns) count(s *http.Server) {
	note := s.ConnState
	s.ConnState = func(c net.Conn, state http.ConnState) {
		if note != nil {
			note(c, state)
		}
		switch state {
		case http.StateNew:
			o.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			o.open.Done()
		case http.StateActive, http.StateIdle:
		}
	}
}

// answer answers what has come on servers that accept no connections any longer: one that is shut down answers no
// request that it reads from then on. Idle connections are closed at once, the others after their answer.
func (o *openConns) answer(servers ...*http.Server) {
	for _, server := range servers {
		server.SetKeepAlivesEnabled(false)
	}
	answered := make(chan struct{})
	go func() {
		o.open.Wait()
		close(answered)
	}()
	const maxWait = 500 * time.Millisecond // every answer is short; connections without a call are not waited for
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case <-answered:
	case <-timer.C:
	}
}
