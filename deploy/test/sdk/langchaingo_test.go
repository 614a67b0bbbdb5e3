package sdk

import (
	"context"
	"fmt"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/openai"
)

func langChainGo(ctx context.Context, e errand, s *sight) error {
	chat, err := openai.New(openai.WithBaseURL(e.URL+"/v1"), openai.WithToken(e.Key), openai.WithModel(model))
	if err != nil {
		return err
	}
	var options []llms.CallOption
	if e.Stream {
		options = append(options, llms.WithStreamingFunc(func(_ context.Context, piece []byte) error {
			s.Text += string(piece)
			e.pause()
			return nil
		}))
	}
	answer, err := llms.GenerateFromSinglePrompt(ctx, chat, question, options...)
	if err == nil && !e.Stream {
		s.Text = answer
	}
	return err
}

func describeLangChainGo(err error, s *sight) {
	s.Class, s.Message = fmt.Sprintf("%T", err), err.Error()
}
