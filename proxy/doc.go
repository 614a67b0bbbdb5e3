// Package proxy is the reverse proxy itself: it takes a call from an app to Workers AI and back, and answers every
// failure with the one envelope. It says in which order things happen to a call; what they are is the business of the
// packages below it (routing, clients, headers, bodybuffer, measure, meter, modellist, event, guard, fairshare,
// breaker, outputlimit, timelimit, websocket) and of quota and normalize. It never reads the environment, names no
// setting but by a key, and never decides what an upstream failure means.
//
// Begin with ServeHTTP in serve.go, which is one call from top to bottom:
//
//	begin        open the record, a call            call.go
//	admit        path, origin, client               routing, access.go
//	slots        at most so many calls at once      slots.go
//	readBody     buffer or stream, scan, target     body.go, intake.go, target.go
//	checkLimits  upstream, client, capacity,        forward.go, access.go, capacity.go,
//	             neurons, requests a minute         maxtokens.go, charge.go, rates.go
//	passOn       rewrite, send, retry               forward.go, retry.go
//	inspect      failure or success                 answer.go, stream.go, meteredbody.go
//	deliver      the events of a stream             stream.go
//	settle       what it cost                       charge.go
//	end          series, one log line               record.go
//
// A call that asks for WebSocket takes the same way: websocket.go says what differs, and inspect makes its session.
//
// A step returns its error and failures.answer alone writes it (fail.go). A call belongs to one goroutine; the locks
// here (knownModels, deprecations, unknownCodes) are leaves: nothing is called under them.
package proxy
