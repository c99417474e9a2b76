from ticker.feeds.jsontexts import JsonTexts

class Json(JsonTexts):
    def begin_session(self) -> None: ...
