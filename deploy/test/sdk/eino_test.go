package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cloudwego/eino-ext/components/model/openai"
	"github.com/cloudwego/eino/schema"
	inner "github.com/meguminnnnnnnnn/go-openai"
)

func eino(ctx context.Context, e errand, s *sight) error {
	chat, err := openai.NewChatModel(ctx, &openai.ChatModelConfig{BaseURL: e.URL + "/v1", APIKey: e.Key, Model: model})
	if err != nil {
		return err
	}
	messages := []*schema.Message{schema.UserMessage(question)}
	if !e.Stream {
		answer, err := chat.Generate(ctx, messages)
		if err != nil {
			return err
		}
		s.Text = answer.Content
		return nil
	}
	stream, err := chat.Stream(ctx, messages)
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.Text += piece.Content
		e.pause()
	}
}

func describeEino(err error, s *sight) {
	s.Class, s.Message = fmt.Sprintf("%T", err), err.Error()
	var refused *openai.APIError
	var interrupted *inner.APIError
	switch {
	case errors.As(err, &refused):
		s.Class, s.Status, s.Message = "*openai.APIError", refused.HTTPStatusCode, refused.Message
		s.Code, _ = refused.Code.(string)
	case errors.As(err, &interrupted): // a stream's is of the SDK below
		s.Class, s.Message = "*openai.APIError", interrupted.Message
		s.Code, _ = interrupted.Code.(string)
	}
}
